package iptables

// Targets that change marks and header fields, which later rules see.

var mangleTargets = []module{}
