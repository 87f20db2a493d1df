package saved

// Values: each that is different once, and for every rule which it has.

import (
	"github.com/hipac-go/classifier/rules"
)

const (
	sectionValues = "vals" // the codec's name, then the bytes of each value
	sectionWhich  = "vidx" // 32 bits for each rule: the number of its value
)

// AddValues adds the sections of the values of n rules. The error is the codec's.
func AddValues[T any](w *Writer, n int, value func(i int) T, codec Codec[T]) error {
	numberOf := map[string]uint32{}
	which := make([]uint32, n)
	var all Numbers
	all.PutText(codec.Name())
	var buf []byte
	for i := range which {
		var err error
		if buf, err = codec.AppendTo(buf[:0], value(i)); err != nil {
			return err
		}
		number, ok := numberOf[string(buf)]
		if !ok {
			number = uint32(len(numberOf))
			numberOf[string(buf)] = number
			all.PutText(string(buf))
		}
		which[i] = number
	}
	w.Add(sectionValues, 0, all.Bytes())
	w.Add(sectionWhich, 0, Bytes(which))
	return nil
}

// Codec returns the name of the codec of the values.
func (f *File) Codec() (string, error) {
	s, err := f.Section(sectionValues, 0)
	if err != nil {
		return "", err
	}
	n := NewScanner(s)
	return n.Text(), n.Err()
}

// Values returns the values of the rules, of which there are as many.
func Values[T any](f *File, codec Codec[T]) ([]T, error) {
	s, err := f.Section(sectionValues, 0)
	if err != nil {
		return nil, err
	}
	n := NewScanner(s)
	if name := n.Text(); n.Err() == nil && name != codec.Name() {
		return nil, Other("the values of its rules are %q, not %q", rules.Excerpt(name), codec.Name())
	}
	var all []T
	for n.Left() {
		at := n.at
		data := n.Bytes()
		if n.Err() != nil {
			break
		}
		v, err := codec.Decode(data)
		if err != nil {
			return nil, s.Damaged(at, "value %d: %v", len(all), err)
		}
		all = append(all, v)
	}
	if err := n.End(); err != nil {
		return nil, err
	}
	if s, err = f.Section(sectionWhich, 0); err != nil {
		return nil, err
	}
	which, err := Words[uint32](s)
	if err != nil {
		return nil, err
	}
	out := make([]T, len(which))
	for i, x := range which {
		if uint64(x) >= uint64(len(all)) {
			return nil, s.Damaged(4*i, "value %d of %d", x, len(all))
		}
		out[i] = all[x]
	}
	return out, nil
}
