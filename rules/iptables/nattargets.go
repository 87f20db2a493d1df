package iptables

// Targets that change addresses and ports.

var natTargets = []module{}
