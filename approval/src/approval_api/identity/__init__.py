"""What a person or program is and may do: roles, permissions, proofs. Pure values."""
