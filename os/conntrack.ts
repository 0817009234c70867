/**
 * Forgets tracked connections by their mark, through netlink.
 * Source: linux/netfilter/nfnetlink.h, nfnetlink_conntrack.h; the kernel filters a flush by mark
 * since 4.20.
 */
const libc = Deno.dlopen("libc.so.6", {
  socket: { parameters: ["i32", "i32", "i32"], result: "i32" },
  send: { parameters: ["i32", "buffer", "usize", "i32"], result: "isize", nonblocking: true },
  recv: { parameters: ["i32", "buffer", "usize", "i32"], result: "isize" },
  close: { parameters: ["i32"], result: "i32" },
});

const AF_NETLINK = 16;
const SOCK_RAW = 3;
const SOCK_CLOEXEC = 0o2000000;
const NETLINK_NETFILTER = 12;
const MSG_DONTWAIT = 0x40;

const NLMSG_ERROR = 2;
const NLM_F_REQUEST = 1;
const NLM_F_ACK = 4;
const NFNL_SUBSYS_CTNETLINK = 1;
const IPCTNL_MSG_CT_DELETE = 2;
const CTA_MARK = 8;
const CTA_MARK_MASK = 21;
const AF_UNSPEC = 0;
const ENOENT = 2;

/**
 * Forgets every connection of this network namespace whose mark, as far as `mask` shows it, is `mark`,
 * IPv4 and IPv6. The kernel takes some 20 ms for it, on a thread of its own.
 * @throws {Error} when the kernel refuses (no CAP_NET_ADMIN, no connection tracking).
 */
export async function forgetConnections(mark: number, mask = 0xffffffff): Promise<void> {
  const fd = libc.symbols.socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
  if (fd < 0) throw new Error("Cannot forget connections: the kernel gave no netlink socket");
  try {
    const request = deleteByMark(mark, mask);
    const sent = await libc.symbols.send(fd, request, BigInt(request.length), 0);
    if (Number(sent) !== request.length) {
      throw new Error("Cannot forget connections: the kernel didn't take the request");
    }
    // The kernel answers before `send` returns.
    const answer = new Uint8Array(4096);
    const length = Number(libc.symbols.recv(fd, answer, BigInt(answer.length), MSG_DONTWAIT));
    const errno = length < 20 ? undefined : errorOf(new DataView(answer.buffer));
    if (errno !== 0 && errno !== ENOENT) {
      const why = errno === undefined ? "no answer" : `errno ${errno}`;
      throw new Error(
        `Cannot forget connections: the kernel refused (${why}); is CAP_NET_ADMIN there?`,
      );
    }
  } finally {
    libc.symbols.close(fd);
  }
}

/** nlmsghdr (16 bytes, host order), nfgenmsg (4 bytes), then two attributes of 8 bytes in network order. */
function deleteByMark(mark: number, mask: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(36);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, bytes.length, true);
  view.setUint16(4, (NFNL_SUBSYS_CTNETLINK << 8) | IPCTNL_MSG_CT_DELETE, true);
  view.setUint16(6, NLM_F_REQUEST | NLM_F_ACK, true);
  view.setUint32(8, 1, true);
  view.setUint8(16, AF_UNSPEC);
  attribute(view, 20, { type: CTA_MARK, value: mark });
  attribute(view, 28, { type: CTA_MARK_MASK, value: mask });
  return bytes;
}

function attribute(view: DataView, at: number, { type, value }: { type: number; value: number }) {
  view.setUint16(at, 8, true);
  view.setUint16(at + 2, type, true);
  view.setUint32(at + 4, value, false);
}

function errorOf(view: DataView): number | undefined {
  return view.getUint16(4, true) === NLMSG_ERROR ? -view.getInt32(16, true) : undefined;
}
