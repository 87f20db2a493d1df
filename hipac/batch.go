package hipac

// Batch paths: the ways to run LookupBatch. All give the same answers; which
// one runs is chosen when a classifier is built, by what the processor can do,
// by Options.Batch, or by the environment.

import (
	"fmt"
	"os"

	"github.com/hipac-go/classifier/hipac/internal/tree"
)

// BatchEnv is the environment variable that, with the name of a Batch, chooses
// the path of classifiers built with BatchAuto: HIPAC_BATCH=go.
const BatchEnv = "HIPAC_BATCH"

// Batch is a way to run LookupBatch.
type Batch uint8

// The batch paths.
const (
	// BatchAuto is what BatchEnv names, else the fastest path that is available.
	BatchAuto Batch = iota
	// BatchGo is pure Go, available everywhere.
	BatchGo
	// BatchAVX512 walks the tree for 64 keys side by side. It is available on
	// amd64 processors with AVX-512 F, BW, DQ, VL and BMI2. Keys of more than 16
	// words, calls with fewer than 8 keys, and keys that come to an inexact rule
	// (see Stats.Inexact), to a bucket or to rows of many columns are looked up
	// one by one all the same; so are all of a set where one rule in eight is
	// inexact.
	BatchAVX512
)

var batchNames = [...]string{BatchAuto: "auto", BatchGo: "go", BatchAVX512: "avx512"}

// String returns the path's name.
func (b Batch) String() string {
	if int(b) < len(batchNames) {
		return batchNames[b]
	}
	return fmt.Sprintf("Batch(%d)", b)
}

// Available reports whether this processor can run the path.
func (b Batch) Available() bool {
	switch b {
	case BatchAuto, BatchGo:
		return true
	case BatchAVX512:
		return tree.HaveAVX512
	}
	return false
}

// Batches returns the paths that this processor can run, BatchAuto left out.
func Batches() []Batch {
	var out []Batch
	for b := BatchGo; int(b) < len(batchNames); b++ {
		if b.Available() {
			out = append(out, b)
		}
	}
	return out
}

// resolve returns the path to run for an option.
func (b Batch) resolve() (Batch, error) {
	if b == BatchAuto {
		name := os.Getenv(BatchEnv)
		for i, n := range batchNames {
			if n == name {
				b = Batch(i)
			}
		}
		if name != "" && batchNames[b] != name {
			return b, fmt.Errorf("options: %s=%s: want auto, go or avx512", BatchEnv, name)
		}
	}
	if !b.Available() {
		return b, fmt.Errorf("options: batch path %s is not available on this processor", b)
	}
	if b == BatchAuto {
		available := Batches()
		b = available[len(available)-1]
	}
	return b, nil
}

// Batch returns the path that LookupBatch runs.
func (c *Classifier[T]) Batch() Batch { return c.opts.Batch }
