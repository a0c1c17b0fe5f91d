"""What transactions usually do, learned while they do it: lessons of those that are settled make rules."""
