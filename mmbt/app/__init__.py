"""The page and the JSON API: search, labels and conversation for people, beside one model."""
