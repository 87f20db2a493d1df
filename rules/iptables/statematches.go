package iptables

// Matches that remember earlier packets.

var stateMatches = []module{}
