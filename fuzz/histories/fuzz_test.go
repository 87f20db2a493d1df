package histories

import (
	"testing"

	"github.com/hipac-go/classifier/hipac"
)

// FuzzHistories runs histories whose every choice is a byte.
func FuzzHistories(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte("\x00\x00\x14\x02 growth, some moves, and a rollback, until the bytes are used up and the list is what it is"))
	for kind := range kinds {
		f.Add([]byte{byte(kind), 1, 40, 0, 100, 9, 1, 0, 77, 3, 8, 5, 6, 7, 8, 9, 60, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 200, 23})
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 1024 {
			return
		}
		h, err := FromBytes(data)
		if err != nil {
			t.Fatal(err)
		}
		o := hipac.LiveOptions{NoBackground: true, LeafRows: len(data) % 4, Counters: len(data)%3 == 0}
		if _, err := Run(h, o); err != nil {
			t.Fatalf("%v\n%v", err, h)
		}
	})
}
