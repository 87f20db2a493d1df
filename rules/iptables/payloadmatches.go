package iptables

// Matches that read the bytes of the packet.

var payloadMatches = []module{}
