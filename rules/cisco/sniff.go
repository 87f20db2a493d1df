package cisco

// Telling a configuration from other texts.

import (
	"bytes"
	"strings"
)

// IsText reports whether a file that begins with prefix looks like an IOS
// configuration, or like what a router says of its access lists.
func IsText(prefix []byte) bool {
	begins := bytes.HasPrefix(bytes.TrimLeft(bytes.TrimPrefix(prefix, []byte("\xef\xbb\xbf")), " \t\r\n"), []byte("!"))
	for line := range bytes.Lines(bytes.TrimPrefix(prefix, []byte("\xef\xbb\xbf"))) {
		words := strings.Fields(string(line[:min(len(line), 200)]))
		if len(words) < 2 {
			continue
		}
		switch words[0] + " " + words[1] {
		case "ip access-list", "Current configuration", "Extended IP", "Standard IP", "object-group network", "object-group service":
			return true
		}
		if begins && (words[0] == "version" || words[0] == "hostname") {
			return true
		}
		if words[0] == "access-list" && digits(words[1]) {
			return true
		}
	}
	return false
}
