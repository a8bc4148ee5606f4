"""What the ledger reports: sums by hour and day, and the calls themselves."""
