package iptables

// Matches on the packet's connection.

var connMatches = []module{}
