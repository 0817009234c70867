/**
 * What systems fetch to learn whether they have the Internet. A session that is up answers as the
 * Internet would; without one, they are sent to the portal and their owners are asked to look.
 */
export interface Probe {
  readonly status: 200 | 204;
  readonly body: string;
  readonly type: string;
}

const TEXT = "text/plain; charset=utf-8";
const HTML = "text/html; charset=utf-8";
const SUCCESS_PAGE = "<HTML><HEAD><TITLE>Success</TITLE></HEAD><BODY>Success</BODY></HTML>";
const NO_CONTENT: Probe = { status: 204, body: "", type: TEXT };

export const PROBES: ReadonlyMap<string, Probe> = new Map<string, Probe>([
  // Android, Chrome OS
  ["/generate_204", NO_CONTENT],
  ["/gen_204", NO_CONTENT],
  // Apple
  ["/hotspot-detect.html", { status: 200, body: SUCCESS_PAGE, type: HTML }],
  ["/library/test/success.html", { status: 200, body: SUCCESS_PAGE, type: HTML }],
  // Windows
  ["/connecttest.txt", { status: 200, body: "Microsoft Connect Test", type: TEXT }],
  ["/ncsi.txt", { status: 200, body: "Microsoft NCSI", type: TEXT }],
  // Firefox
  ["/success.txt", { status: 200, body: "success\n", type: TEXT }],
  ["/canonical.html", {
    status: 200,
    body: `<meta http-equiv="refresh" ` +
      `content="0;url=https://support.mozilla.org/kb/captive-portal"/>`,
    type: HTML,
  }],
  // NetworkManager, as Debian and GNOME set it up
  ["/check_network_status.txt", { status: 200, body: "NetworkManager is online\n", type: TEXT }],
  ["/nm", { status: 200, body: "NetworkManager is online\n", type: TEXT }],
]);
