//go:build !linux

package kernel

// Elsewhere there is no such kernel to compare with.

import (
	"context"
	"errors"
)

var errElsewhere = errors.New("the comparison with the kernel needs Linux")

func usableWays(_ context.Context, ways []string) (list, skipped []string) {
	for _, w := range ways {
		skipped = append(skipped, w+": "+errElsewhere.Error())
	}
	return nil, skipped
}

func available() error { return errElsewhere }

func compareSets(context.Context, Options, func(Report)) (Report, error) {
	return Report{}, errElsewhere
}

func replay(context.Context, *Case) (*Difference, error) { return nil, errElsewhere }
