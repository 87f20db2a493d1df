//go:build !dpdk

package dpdk

import (
	"context"
	"fmt"

	"github.com/hipac-go/classifier/bench/compare"
	"github.com/hipac-go/classifier/rules"
)

// Makers returns makers that say that the program was built without the library.
func Makers() []*compare.Maker {
	const why = `this program was built without libdpdk (go build -tags dpdk, with libdpdk-dev)`
	all := describe()
	for _, m := range all {
		m.Skip = func() string { return why }
		m.Make = func(context.Context, *rules.List[string], int64) (compare.Engine, error) {
			return nil, fmt.Errorf("%w: %s", compare.ErrUnsupported, why)
		}
	}
	return all
}
