package iptables

// Matches on headers: those that are compiled into the tree like ports are.

var packetMatches = []module{}
