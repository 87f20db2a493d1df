package chains

import (
	"testing"
)

// FuzzHistoriesOfTables runs histories whose every choice is a byte.
func FuzzHistoriesOfTables(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte("chains come and go, rules lead to them and are moved, and what was there before is still what it was"))
	for i := range 8 {
		f.Add([]byte{byte(i * 40), 3, 200, 9, 77, byte(255 - i), 130, 14, 250, 66, 1, 2, 3, 200, 90, 40, 17, 3, 8, byte(i), 128, 64, 32, 16, 8})
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 1024 {
			return
		}
		if _, err := HistoryFromBytes(data); err != nil {
			t.Fatal(err)
		}
	})
}

// FuzzRelationsBetweenTables draws the tables of relations by bytes.
func FuzzRelationsBetweenTables(f *testing.F) {
	for i := range Relations() {
		f.Add(uint8(i), []byte("some rules"))
		f.Add(uint8(i), []byte{byte(i), 0, 255, 128, 1, 127, 254, 3, 40, 80, 120, 160, 200, 240})
	}
	all := Relations()
	f.Fuzz(func(t *testing.T, which uint8, data []byte) {
		if len(data) > 1024 {
			return
		}
		if _, err := all[int(which)%len(all)].FromBytes(data); err != nil {
			t.Fatal(err)
		}
	})
}
