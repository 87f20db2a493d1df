//go:build linux
package kernel
import ("testing";"fmt";"os")
func TestDebug(t *testing.T){
 if os.Getenv("DBG")=="" {t.Skip()}
 for _, c := range []struct{f int; r string}{{6,"-m ipv6header ! --header hop-by-hop,protocol"},{6,"-m ipv6header ! --header hop-by-hop,protocol --soft"},{6,"-m ipv6header ! --header none"},{6,"-m ipv6header ! --header none --soft"},{4,"-p dccp -m dccp --dccp-types INVALID"},{4,"-p dccp -m dccp ! --dccp-option 38"},{4,"-p dccp -m dccp --dccp-option 38"},{4,"-p dccp -m dccp --dccp-option 1"}} {
 t.Run("",func(t *testing.T){
  w:=newWorld(t,c.f)
  run(t,"*raw\n-A PREROUTING "+c.r+"\n-A PREROUTING\nCOMMIT\n",w.tool()+"-restore")
  k:=openTable(t,c.f,"raw")
  hit,drop:=0,0
  was:=k.read(t,nil)
  i:=k.find("PREROUTING")
  fmt.Println(c.r)
  for _,s:=range pool(c.f){ 
   w.send(t,&s)
   now:=k.read(t,nil)
   h:=now[i][0].packets-was[i][0].packets; a:=now[i][1].packets-was[i][1].packets
   was=now
   hit+=int(h); drop+=1-int(a)
   if (h==0)&&c.f==6 || (h==1||a==0)&&c.f==4 { fmt.Printf("  hit %d went on %d %s %x\n",h,a,s.name,s.raw[:min(80,len(s.raw))]) }
  }
  fmt.Println("   hits",hit,"drops",drop)
 })}
}
