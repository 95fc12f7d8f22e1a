// memberlist-node joins a gossip ring with hashicorp/memberlist and prints what it sees as JSON
// lines. SIGTERM makes it leave; anything harder makes it a dead node. It configures memberlist the
// way MetalLB's speaker does, so a test against it is a test against a MetalLB speaker.
package main

import (
	"crypto/sha256"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/hashicorp/memberlist"
)

type line struct {
	Event   string `json:"event"`
	Name    string `json:"name,omitempty"`
	Address string `json:"address,omitempty"`
	Meta    string `json:"meta,omitempty"`
	Why     string `json:"why,omitempty"`
}

var printing sync.Mutex

func say(l line) {
	printing.Lock()
	defer printing.Unlock()
	_ = json.NewEncoder(os.Stdout).Encode(l)
}

type events struct{}

func report(event string, n *memberlist.Node) {
	say(line{Event: event, Name: n.Name, Address: n.Address(), Meta: string(n.Meta)})
}
func (events) NotifyJoin(n *memberlist.Node)   { report("joined", n) }
func (events) NotifyUpdate(n *memberlist.Node) { report("updated", n) }

// memberlist does not say whether a node left or failed.
func (events) NotifyLeave(n *memberlist.Node) { report("gone", n) }

type meta string

func (m meta) NodeMeta(int) []byte           { return []byte(m) }
func (meta) NotifyMsg([]byte)                {}
func (meta) GetBroadcasts(int, int) [][]byte { return nil }
func (meta) LocalState(bool) []byte          { return []byte("state of no interest") }
func (meta) MergeRemoteState([]byte, bool)   {}

// The key as MetalLB makes it: Sum appends the hash of nothing to the text.
func key(secret string) []byte {
	return sha256.New().Sum([]byte(secret))[:32]
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

func main() {
	name := flag.String("name", "go", "")
	bind := flag.String("bind", "127.0.0.1", "")
	port := flag.Int("port", 0, "0 picks one")
	secret := flag.String("secret", "", "text, made a key as MetalLB does")
	label := flag.String("label", "", "")
	nodeMeta := flag.String("meta", "", "")
	join := flag.String("join", "", "address:port of members, separated by commas")
	compress := flag.Bool("compress", true, "")
	fast := flag.Bool("fast", false, "Steelyard's fast timing instead of the LAN profile")
	verbose := flag.Bool("verbose", false, "memberlist's log on stderr")
	flag.Parse()

	config := memberlist.DefaultLANConfig()
	config.Name = *name
	config.BindAddr = *bind
	config.BindPort = *port
	config.AdvertiseAddr = *bind
	config.AdvertisePort = *port
	config.Label = *label
	config.EnableCompression = *compress
	config.Events = events{}
	config.Delegate = meta(*nodeMeta)
	config.LogOutput = io.Discard
	if *verbose {
		config.LogOutput = os.Stderr
	}
	if *fast {
		config.ProbeInterval = 200 * time.Millisecond
		config.ProbeTimeout = 80 * time.Millisecond
		config.GossipInterval = 50 * time.Millisecond
		config.SuspicionMaxTimeoutMult = 3
	}
	if *secret != "" {
		config.SecretKey = key(*secret)
	}
	list, err := memberlist.Create(config)
	if err != nil {
		fail(err)
	}
	local := list.LocalNode()
	address := net.JoinHostPort(local.Addr.String(), strconv.Itoa(int(local.Port)))
	say(line{Event: "listening", Name: *name, Address: address})
	if *join != "" {
		if _, err := list.Join(strings.Split(*join, ",")); err != nil {
			say(line{Event: "refused", Why: err.Error()})
		}
	}

	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	<-signals
	if err := list.Leave(time.Second); err != nil {
		say(line{Event: "refused", Why: err.Error()})
	}
	_ = list.Shutdown()
	say(line{Event: "exited"})
}
