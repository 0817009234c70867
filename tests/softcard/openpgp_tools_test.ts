/** GnuPG and OpenSC use the software card's OpenPGP application on the real pcscd. */
import { Lab } from "../lab/lab.ts";
import { labTest } from "../lab/needs.ts";
import { startPcscd, startSoftcard } from "../lab/pcscd.ts";
import { type Row, Tools } from "./rows.ts";

const GPG = "gpg --no-tty --status-fd 2";

const GNUPG: readonly Row[] = [
  {
    shows: "gpg --card-status: a card of version 3.4 with its tries",
    run: "gpg --card-status",
    says: [
      /^Application ID \.\.\.: D276000124010304FFFE000047110000$/m,
      /^Version \.+: 3\.4$/m,
      /^Serial number \.+: 00004711$/m,
      /^Key attributes \.+: ed25519 cv25519 ed25519$/m,
      /^PIN retry counter : 3 0 3$/m,
      /^Signature key \.+: \[none\]$/m,
    ],
  },
  {
    shows: "gpg --card-edit: generates three keys on the card",
    run: `printf '%s\\n' admin generate n 0 y 'Card Holder' holder@example.org '' o quit |
      ${GPG} --command-fd 0 --card-edit`,
    says: /KEY_CREATED B [0-9A-F]{40}/,
  },
  {
    shows: "gpg --card-edit: name, language, login and private objects",
    run: `printf 'for anybody' > one; printf 'for the holder' > three
      printf '%s\\n' admin name Holder Card lang en login holder \\
        'privatedo 1 < one' 'privatedo 3 < three' quit | ${GPG} --command-fd 0 --card-edit`,
    says: /SC_OP_SUCCESS/,
  },
  {
    shows: "gpg --card-status: keys, names and what the private objects hold",
    run: "gpg --card-status",
    says: [
      /^Name of cardholder: Card Holder$/m,
      /^Login data \.+: holder$/m,
      /^Private DO 1 \.+: for anybody$/m,
      /^Signature key \.+: [0-9A-F]{4} /m,
      /^Encryption key\.+: [0-9A-F]{4} /m,
      /^Authentication key: [0-9A-F]{4} /m,
      /^sec> +ed25519\//m,
      /^ssb> +cv25519\//m,
    ],
  },
  {
    shows: "gpg: signs with the card, verifies without it",
    run: `${GPG} -o signed --sign message; gpg --verify signed`,
    says: /Good signature from "Card Holder <holder@example.org>"/,
  },
  {
    shows: "gpg: deciphers with the card what was enciphered to it",
    run: `${GPG} -r holder@example.org -o enciphered -e message
      ${GPG} -o plain -d enciphered; cmp message plain`,
  },
  {
    shows: "gpg keytocard: an X25519 key made elsewhere goes to the card",
    run: `${GPG} --batch --passphrase '' --quick-gen-key soft@example.org ed25519 sign never
      key=$(gpg --list-keys --with-colons soft@example.org | awk -F: '/^fpr/{print $10; exit}')
      ${GPG} --batch --passphrase '' --quick-add-key $key cv25519 encr never
      ${GPG} -r soft@example.org -o enciphered.soft -e message
      printf '%s\\n' 'key 1' keytocard 2 y save | ${GPG} --command-fd 0 --edit-key $key
      gpg --list-secret-keys soft@example.org`,
    says: /^ssb> +cv25519 /m,
  },
  {
    shows: "gpg: the imported key deciphers what was enciphered before",
    run: `${GPG} -o plain.soft -d enciphered.soft; cmp message plain.soft`,
  },
  {
    shows: "gpg: RSA-2048 and P-256 as key attributes, keys of those on the card",
    run: `printf '%s\\n' admin key-attr 1 2048 2 3 1 2048 quit |
      ${GPG} --expert --command-fd 0 --card-edit
      gpg --card-status`,
    says: /^Key attributes \.+: rsa2048 nistp256 rsa2048$/m,
  },
  {
    shows: "gpg --card-edit: generates them; signs and deciphers with them",
    run: `printf '%s\\n' admin generate n y 0 y 'Card Again' again@example.org '' o quit |
      ${GPG} --command-fd 0 --card-edit
      ${GPG} -u again@example.org -o signed.rsa --sign message; gpg --verify signed.rsa
      ${GPG} -r again@example.org -o enciphered.p256 -e message
      ${GPG} -o plain.p256 -d enciphered.p256; cmp message plain.p256`,
    says: /Good signature from "Card Again <again@example.org>"/,
  },
  { shows: "gpgconf --kill: lets go of the card", run: "letgo" },
];

const OPENSC: readonly Row[] = [
  {
    shows: "openpgp-tool -C: the card",
    run: "openpgp-tool -C",
    says: [/^Version:\s+3\.4$/m, /^Serial number:\s+00004711$/m],
  },
  {
    shows: "openpgp-tool -U: its holder",
    run: "openpgp-tool -U",
    says: [/^Account:\s+holder$/m, /^Name:\s+Holder Card$/m, /^Language:\s+en$/m],
  },
  {
    shows: "openpgp-tool -d 1: read without a password",
    run: "openpgp-tool --raw -d 1",
    says: /for anybody/,
  },
  {
    shows: "openpgp-tool -d 3: nothing without PW1",
    run: "openpgp-tool --raw -d 3 || true",
    hides: /for the holder/,
  },
  {
    shows: "openpgp-tool -d 3: with it",
    run: "openpgp-tool --raw -d 3 --verify CHV2 --pin 123456",
    says: /for the holder/,
  },
  {
    shows: "openpgp-tool --verify: wrong",
    run: "openpgp-tool --verify CHV1 --pin 000000",
    fails: true,
  },
  { shows: "gpg: one try less", run: "gpg --card-status", says: /PIN retry counter : 2 0 3/ },
  {
    shows: "openpgp-tool --verify: right gives all tries back",
    run: "letgo; openpgp-tool --verify CHV1 --pin 123456; gpg --card-status; " +
      "letgo",
    says: /PIN retry counter : 3 0 3/,
  },
];

const PASSWORDS: readonly Row[] = [
  {
    shows: "gpg passwd: another PW1, by the old one",
    run: `printf '%s\\n' passwd quit | ${GPG} --command-fd 0 --card-edit; letgo
      openpgp-tool --verify CHV1 --pin 654321; ! openpgp-tool --verify CHV1 --pin 123456`,
  },
  {
    shows: "gpg: blocked after three wrong ones",
    run: `openpgp-tool --verify CHV1 --pin 000000 || openpgp-tool --verify CHV1 --pin 000000 || true
      gpg --card-status; letgo`,
    says: /PIN retry counter : 0 0 3/,
  },
  {
    shows: "gpg passwd: the administrator gives PW1 anew",
    run: `printf '%s\\n' admin passwd 2 q quit | ${GPG} --command-fd 0 --card-edit
      gpg --card-status; letgo; openpgp-tool --verify CHV2 --pin 654321`,
    says: /PIN retry counter : 3 0 3/,
  },
];

const OPENSC_CURVES: readonly Row[] = [
  {
    shows: "openpgp-tool -E: terminates and activates; a new application",
    run: "openpgp-tool -E; gpg --card-status; letgo",
    says: [/^Name of cardholder: \[not set\]$/m, /^Key attributes \.+: ed25519 cv25519 ed25519$/m],
  },
  {
    shows: "gpg --card-edit: keys on the new application",
    run: `printf '%s\\n' admin generate n 0 y 'Third Key' third@example.org '' o quit |
      ${GPG} --command-fd 0 --card-edit; letgo`,
    says: /KEY_CREATED B/,
  },
  {
    shows: "pkcs15-tool -D: passwords and keys",
    run: "pkcs15-tool -D",
    says: [/^PKCS#15 Card \[OpenPGP card\]/m, /Encryption key/, /Authentication key/],
  },
  {
    shows: "pkcs11-tool: signs with Ed25519, openssl verifies",
    run: `point=$(pkcs11-tool --login --pin 123456 -O --id 03 | sed -n 's/.*EC_POINT: *0420//p')
      (echo 302a300506032b6570032100$point | raw) | openssl pkey -pubin -inform DER -out ed.pub
      pkcs11-tool --login --pin 123456 --sign -m EDDSA --id 03 -i message -o ed.sig
      openssl pkeyutl -verify -rawin -pubin -inkey ed.pub -in message -sigfile ed.sig`,
    says: /Verified Successfully/,
  },
];

labTest("GnuPG and OpenSC use the software card's OpenPGP application", async (t) => {
  await using lab = await Lab.open();
  const machine = await lab.machine("reader");
  await machine.quickAckLoopback();
  const pcscd = await startPcscd(machine);
  const card = await startSoftcard(machine, { state: `${lab.dir}/card`, serial: 4711 });
  const tools = new Tools(machine, lab.dir, {
    GNUPGHOME: `${lab.dir}/gnupg`,
    OPENSC_CONF: `${lab.dir}/opensc.conf`,
  });
  await tools.must(`
    mkdir -m 700 gnupg
    echo 'pinentry-program ${lab.dir}/pinentry' > gnupg/gpg-agent.conf
    echo disable-ccid > gnupg/scdaemon.conf
    cat > opensc.conf <<'END'
${OPENSC_CONF}END
    cat > pinentry <<'END'
${PINENTRY}END
    chmod +x pinentry
    echo message > message
  `);
  await tools.all(t, [...GNUPG, ...OPENSC, ...PASSWORDS, ...OPENSC_CURVES]);
  await card.stop();
  await pcscd.stop();
});

/** OpenSC goes by the answer to reset, which names PIV; this names the other application. */
const OPENSC_CONF = `app default {
  card_drivers = openpgp;
  card_atr 3b:8d:80:01:80:fb:a0:00:00:03:08:00:00:10:00:01:00:cd {
    driver = "openpgp"; type = 9004; name = "OpenPGP";
  }
}
`;

/** The holder at the keyboard, who knows both passwords. */
const PINENTRY = `#!/bin/bash
echo "OK ready"
pin=123456
while read -r word rest; do
  case $word in
    SETDESC)
      case "$rest" in
        *New*|*Repeat*) pin=654321 ;;
        *dmin*) pin=12345678 ;;
        *) pin=123456 ;;
      esac
      echo OK ;;
    GETPIN) echo "D $pin"; echo OK ;;
    BYE) echo OK; exit ;;
    *) echo OK ;;
  esac
done
`;
