"""Where messages come from: one file per kind, arrivals in and settlements out."""
