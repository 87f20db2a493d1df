package iptables

// Targets that decide: queues and proxies.

var verdictTargets = []module{}
