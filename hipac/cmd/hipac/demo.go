package main

// The built-in demonstration: a small firewall and a capture of what it meets,
// made by TestDemoCapture.

import _ "embed"

//go:embed demo/office.rules
var demoRules []byte

//go:embed demo/office.pcapng
var demoCapture []byte

// The names of the two in messages.
const (
	demoRulesName   = "office.rules"
	demoCaptureName = "office.pcapng"
)
