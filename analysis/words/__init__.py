"""What may be said of the numbers, in sentences that never say more than they do."""
