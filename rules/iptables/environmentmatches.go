package iptables

// Matches that ask the system around the packet.

var environmentMatches = []module{}
