package connections

// The ready profiles, which are a file in the format that users write.

import (
	_ "embed"
	"strings"
	"sync"
)

//go:embed ready.txt
var readyText string

var readyProfiles = sync.OnceValue(func() []Profile {
	list, err := ParseProfiles(strings.NewReader(readyText), "ready.txt")
	if err != nil {
		panic(err) // a test reads them
	}
	return list
})

// Ready returns the ready profiles: http, https, dns, ssh, ntp, smtp, bulk,
// voip, scan and synflood. They may be changed: each call returns copies, which
// share their scripts and ports.
func Ready() []Profile { return append([]Profile(nil), readyProfiles()...) }

// ReadyText is the text that Ready reads, with comments.
func ReadyText() string { return readyText }
