"""Pages: experiments, and one experiment."""
