package index

// Sets of rules: a short sorted slice while small, since most elementary
// intervals have a handful of specific rules and a roaring bitmap costs two
// hundred bytes empty; a bitmap beyond.

import (
	"slices"

	"github.com/RoaringBitmap/roaring/v2"
)

// maxSmall is the number of rules at which a set becomes a bitmap.
const maxSmall = 32

type set struct {
	small []uint32
	big   *roaring.Bitmap
}

func (s *set) len() int {
	if s.big != nil {
		return int(s.big.GetCardinality())
	}
	return len(s.small)
}

func (s *set) add(x uint32) {
	if s.big != nil {
		s.big.Add(x)
		return
	}
	at, found := slices.BinarySearch(s.small, x)
	if found {
		return
	}
	if s.small = slices.Insert(s.small, at, x); len(s.small) > maxSmall {
		s.big = roaring.BitmapOf(s.small...)
		s.small = nil
	}
}

// remove reports whether x was there.
func (s *set) remove(x uint32) bool {
	if s.big != nil {
		return s.big.CheckedRemove(x)
	}
	at, found := slices.BinarySearch(s.small, x)
	if found {
		s.small = slices.Delete(s.small, at, at+1)
	}
	return found
}

func (s *set) clone() set {
	if s.big != nil {
		return set{big: s.big.Clone()}
	}
	return set{small: slices.Clone(s.small)}
}

// addTo adds the elements of s that are in within, or all when it is nil.
func (s *set) addTo(out, within *roaring.Bitmap) {
	switch {
	case s.big == nil:
		for _, x := range s.small {
			if within == nil || within.Contains(x) {
				out.Add(x)
			}
		}
	case within == nil:
		out.Or(s.big)
	default:
		out.Or(roaring.And(s.big, within))
	}
}
