"""What a network does: conditions, stream metric, report and pictures."""
