"""Which frames and patches of a video a query's score rests on: numbers, a picture and a film."""
from .explanation import Evidence, Explanation, explain
from .saving import save_explanation

__all__ = ['Evidence', 'Explanation', 'explain', 'save_explanation']
