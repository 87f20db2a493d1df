package main

// The built-in demonstration: a small firewall and a capture of what it meets,
// made by TestDemoCapture.

import _ "embed"

//go:embed demo/office.rules
var demoRules []byte

//go:embed demo/office.pcapng
var demoCapture []byte

// demoTitle stands above the table. The command in it is run by
// TestTheCommandOfTheDemoGivesTheSame.
const demoTitle = `A built-in firewall decides a built-in capture; "hipac classify --help" says how to use your own.
In a checkout of the source, the same with files:

  hipac classify --rules hipac/cmd/hipac/demo/office.rules --packets hipac/cmd/hipac/demo/office.pcapng --capture-interface in
`

// The names of the two in messages.
const (
	demoRulesName   = "office.rules"
	demoCaptureName = "office.pcapng"
)
