package iptables

// Targets that report a packet or remember it, and change nothing that later rules see.

var reportTargets = []module{}
