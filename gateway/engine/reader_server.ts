/**
 * Where terminals' readers dial in: TLS that ends in this process, under a key that was made here
 * and dies here. The gateway vouches for it and says which terminals may.
 */
import type { CardSession } from "../../token/pcsc/types.ts";
import { ReaderLink } from "./reader_link.ts";
import type { LeaseTerminal, Sharing } from "./sharing.ts";

/** Terminals' readers at once, and of one address. */
const MOST_LINKS = 64;
const LINKS_OF_ONE = 4;
/** How long a TLS handshake and the gateway's word may take, in milliseconds. */
const GREETING_MS = 5_000;
/** The engine before this one may hold the port for a moment. */
const PORT_TRIES = 100;
const PORT_PAUSE_MS = 50;

export interface ReaderServerParts {
  readonly addresses: readonly string[];
  readonly port: number;
  readonly card: CardSession;
  readonly sharing: Sharing;
  /** Asks the gateway who is at an address; undefined: nobody who may. */
  readonly identify: (address: string) => Promise<LeaseTerminal | undefined>;
  readonly onRefused: (address: string, why: string) => void;
}

/** Makes the TLS key of this engine; `publicKey` is its SPKI. */
export async function makeReaderKey(): Promise<{ publicKey: Uint8Array; privatePem: string }> {
  const pair = await crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, true, [
    "sign",
    "verify",
  ]);
  const publicKey = new Uint8Array(await crypto.subtle.exportKey("spki", pair.publicKey));
  const pkcs8 = new Uint8Array(await crypto.subtle.exportKey("pkcs8", pair.privateKey));
  const lines = pkcs8.toBase64().replace(/.{64}/g, "$&\n");
  pkcs8.fill(0);
  return {
    publicKey,
    privatePem: `-----BEGIN PRIVATE KEY-----\n${lines}\n-----END PRIVATE KEY-----\n`,
  };
}

/** Listens for as long as this process lives; gives the port at each address. */
export async function serveReaders(
  parts: ReaderServerParts,
  tls: { chain: string; privatePem: string },
): Promise<number[]> {
  const links = new Links();
  return await Promise.all(parts.addresses.map(async (hostname) => {
    const listener = await listen({
      hostname,
      port: parts.port,
      cert: tls.chain,
      key: tls.privatePem,
    });
    void accept(listener);
    return listener.addr.port;
  }));

  async function accept(listener: Deno.TlsListener): Promise<void> {
    for (;;) {
      let connection: Deno.TlsConn;
      try {
        connection = await listener.accept();
      } catch (error) {
        if (error instanceof Deno.errors.BadResource) return;
        continue; // one that broke off before it was taken
      }
      void serve(connection);
    }
  }

  async function serve(connection: Deno.TlsConn): Promise<void> {
    const address = connection.remoteAddr.hostname.replace(/^::ffff:/, "");
    const served: Served = { connection, address, link: undefined };
    if (!links.enter(served)) {
      parts.onRefused(address, "too many readers");
      return close(connection);
    }
    const late = setTimeout(() => close(connection), GREETING_MS);
    try {
      await connection.handshake();
      const terminal = await parts.identify(address);
      clearTimeout(late);
      if (terminal === undefined) {
        return parts.onRefused(address, "not a terminal that may use the card");
      }
      const { sharing, card } = parts;
      served.link = new ReaderLink({ connection, sharing, atr: card.atr, terminal });
      const wrong = await served.link.run();
      if (wrong !== undefined) parts.onRefused(address, wrong);
    } catch {
      parts.onRefused(address, "no TLS");
    } finally {
      clearTimeout(late);
      close(connection);
      links.leave(served);
    }
  }
}

interface Served {
  readonly connection: Deno.TlsConn;
  readonly address: string;
  /** There once it was greeted. */
  link: ReaderLink | undefined;
}

/** Who is connected, oldest first. */
class Links {
  readonly #served = new Set<Served>();

  /**
   * False: there is no room. A terminal that vanished without a word, asleep or unplugged, leaves its
   * link open here: the oldest that uses nothing goes when it dials anew.
   */
  enter(served: Served): boolean {
    const own = [...this.#served].filter(({ address }) => address === served.address);
    if (own.length >= LINKS_OF_ONE) {
      const forgotten = own.find(({ link }) => link !== undefined && !link.isInUse);
      if (forgotten === undefined) return false;
      this.leave(forgotten);
      close(forgotten.connection);
    }
    if (this.#served.size >= MOST_LINKS) return false;
    this.#served.add(served);
    return true;
  }

  leave(served: Served): void {
    this.#served.delete(served);
  }
}

async function listen(
  options: { hostname: string; port: number; cert: string; key: string },
): Promise<Deno.TlsListener> {
  for (let tries = 1;; tries++) {
    try {
      return Deno.listenTls({ ...options, transport: "tcp" });
    } catch (error) {
      const passes = error instanceof Deno.errors.AddrInUse ||
        error instanceof Deno.errors.AddrNotAvailable;
      if (!passes || tries >= PORT_TRIES) throw error;
      await new Promise((resolve) => setTimeout(resolve, PORT_PAUSE_MS));
    }
  }
}

function close(connection: Deno.TlsConn): void {
  try {
    connection.close();
  } catch {
    // Closed already.
  }
}
