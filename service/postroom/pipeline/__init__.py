"""Rules over messages: conditions that ask, steps that decide, and the one loop that makes a plan of them."""
