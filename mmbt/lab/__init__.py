"""The laboratory: worlds, demo, ablation, benchmark. Imports everything, imported by nothing."""
