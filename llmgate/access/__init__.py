"""Keys, users, teams and budgets: who may do what, and how much."""
