"""What a request did and cost."""
