"""What each kind of packet means, one at a time and without memory, and the events about one packet."""
