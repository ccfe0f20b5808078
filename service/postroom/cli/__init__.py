"""The commands, one file each; `main` registers them. Nothing is loaded here: `filter` goes past all others."""
