package main

// The operators on statements.

import (
	"go/ast"
	"go/token"
	"go/types"
	"strings"
)

func (w *walker) statement(n ast.Stmt) {
	switch n := n.(type) {
	case *ast.IfStmt:
		w.condition(n.Cond)
	case *ast.ForStmt:
		w.condition(n.Cond)
	case *ast.RangeStmt:
		w.ranged(n)
	case *ast.AssignStmt:
		w.assign(n)
	case *ast.IncDecStmt:
		w.step(n)
	case *ast.ExprStmt:
		if c, ok := n.X.(*ast.CallExpr); ok && !isLock(c) {
			w.replace("call", n, "")
		}
	case *ast.DeferStmt:
		if !isLock(n.Call) {
			w.replace("call", n, "")
		}
	case *ast.ReturnStmt:
		w.returned(n)
	case *ast.BranchStmt:
		w.branch(n)
	}
}

// clause leaves out the body of a case. In a switch without a tag the cases are
// conditions.
func (w *walker) clause(n *ast.CaseClause) {
	if s, ok := w.up(2).(*ast.SwitchStmt); ok && s.Tag == nil {
		for _, e := range n.List {
			w.condition(e)
		}
	}
	if len(n.Body) > 0 {
		w.emit("case", n.Body[0].Pos(), n.Body[len(n.Body)-1].End(), "")
	}
}

// ranged makes a loop over a number or a list shorter, that over a number longer
// too.
func (w *walker) ranged(n *ast.RangeStmt) {
	if _, ok := n.X.(*ast.BasicLit); ok {
		return
	}
	if w.isInteger(n.X) {
		w.shifted("bound", n.X)
		return
	}
	calls := false
	ast.Inspect(n.X, func(n ast.Node) bool {
		_, is := n.(*ast.CallExpr)
		calls = calls || is
		return true
	})
	if t := w.info.TypeOf(n.X); t != nil && !calls {
		if _, ok := t.Underlying().(*types.Slice); ok {
			x := w.src(n.X)
			w.replace("bound", n.X, x+"[:max(len("+x+")-1, 0)]")
		}
	}
}

var assigns = map[token.Token]token.Token{
	token.ADD_ASSIGN: token.SUB_ASSIGN, token.SUB_ASSIGN: token.ADD_ASSIGN,
	token.MUL_ASSIGN: token.ADD_ASSIGN, token.QUO_ASSIGN: token.MUL_ASSIGN, token.REM_ASSIGN: token.QUO_ASSIGN,
	token.AND_ASSIGN: token.OR_ASSIGN, token.OR_ASSIGN: token.AND_ASSIGN, token.XOR_ASSIGN: token.OR_ASSIGN,
	token.AND_NOT_ASSIGN: token.AND_ASSIGN,
	token.SHL_ASSIGN:     token.SHR_ASSIGN, token.SHR_ASSIGN: token.SHL_ASSIGN,
}

// assign leaves out an assignment, whose right side is still evaluated.
func (w *walker) assign(n *ast.AssignStmt) {
	if n.Tok == token.DEFINE {
		return
	}
	if to, ok := assigns[n.Tok]; ok {
		if w.isInteger(n.Lhs[0]) {
			w.emit("assign", n.TokPos, n.TokPos+token.Pos(len(n.Tok.String())), to.String())
		}
		w.replace("assign", n, "_ = "+w.src(n.Rhs[0]))
		return
	}
	var right []string
	for _, e := range n.Rhs {
		if tv := w.info.Types[e]; len(n.Rhs) == len(n.Lhs) && (tv.IsNil() || tv.Value != nil) {
			continue // nothing to evaluate
		}
		right = append(right, w.src(e))
	}
	blanks := len(right)
	if len(n.Rhs) != len(n.Lhs) {
		blanks = len(n.Lhs)
	}
	if blanks == 0 {
		w.replace("assign", n, "")
		return
	}
	w.replace("assign", n, strings.Repeat("_, ", blanks-1)+"_ = "+strings.Join(right, ", "))
}

func (w *walker) step(n *ast.IncDecStmt) {
	other := "--"
	if n.Tok == token.DEC {
		other = "++"
	}
	w.emit("assign", n.TokPos, n.TokPos+2, other)
	w.replace("assign", n, "")
}

// isLast reports whether a statement is the last of the function.
func (w *walker) isLast(n ast.Stmt) bool {
	list := w.f.decl.Body.List
	return len(list) > 0 && list[len(list)-1] == n
}

var errorType = types.Universe.Lookup("error").Type()

// returned leaves out a return, and changes what it returns.
func (w *walker) returned(n *ast.ReturnStmt) {
	if !w.isLast(n) {
		var keep []string
		for _, e := range n.Results {
			tv := w.info.Types[e]
			if tv.IsNil() || tv.Value != nil {
				continue
			}
			if tuple, ok := tv.Type.(*types.Tuple); ok {
				keep = append(keep, strings.Repeat("_, ", tuple.Len()-1)+"_ = "+w.src(e))
			} else {
				keep = append(keep, "_ = "+w.src(e))
			}
		}
		w.replace("leave", n, strings.Join(keep, "; "))
	}
	for _, e := range n.Results {
		tv := w.info.Types[e]
		if _, isLiteral := e.(*ast.BasicLit); isLiteral || tv.Type == nil {
			continue
		}
		switch {
		case types.Identical(tv.Type, errorType) && !tv.IsNil():
			w.replace("answer", e, "nil")
		case w.isInteger(e):
			text := w.src(e)
			if b, ok := e.(*ast.BinaryExpr); ok && b.Op.Precedence() < token.ADD.Precedence() {
				text = "(" + text + ")"
			}
			w.replace("answer", e, text+" + 1")
		}
	}
}

// branch leaves out a break or continue, and makes the one the other.
func (w *walker) branch(n *ast.BranchStmt) {
	switch n.Tok {
	case token.FALLTHROUGH:
		w.replace("leave", n, "")
	case token.BREAK, token.CONTINUE:
		w.replace("leave", n, "")
		if n.Tok == token.CONTINUE {
			w.emit("leave", n.Pos(), n.Pos()+token.Pos(len("continue")), "break")
		} else if n.Label != nil || w.inLoop() {
			w.emit("leave", n.Pos(), n.Pos()+token.Pos(len("break")), "continue")
		}
	}
}

// inLoop reports whether the nearest statement that a break leaves is a loop.
func (w *walker) inLoop() bool {
	for i := 1; i <= len(w.path); i++ {
		switch w.up(i).(type) {
		case *ast.ForStmt, *ast.RangeStmt:
			return true
		case *ast.SwitchStmt, *ast.TypeSwitchStmt, *ast.SelectStmt, *ast.FuncLit:
			return false
		}
	}
	return false
}

// head puts a return in front of everything.
func (w *walker) head() {
	at := w.f.decl.Body.Lbrace + 1
	if len(w.f.decl.Body.List) == 0 {
		return
	}
	results := w.f.decl.Type.Results
	if results == nil || len(results.List) == 0 || len(results.List[0].Names) > 0 {
		w.emit("early", at, at, " return;")
		return
	}
	var zeros []string
	for _, field := range results.List {
		zeros = append(zeros, "*new("+w.src(field.Type)+")")
	}
	w.emit("early", at, at, " return "+strings.Join(zeros, ", ")+";")
	if len(zeros) == 1 && w.isBool(results.List[0].Type) {
		w.emit("early", at, at, " return true;")
	}
}
