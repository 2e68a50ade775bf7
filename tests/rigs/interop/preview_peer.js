// A client of a ws-room on Decentraland's own JavaScript: @dcl/protocol and @dcl/crypto, as the preview server has them.
// Orders and reports are JSON lines; a packet is as @dcl/protocol writes it down.
// usage: node preview_peer.js FOLDER
const { createInterface } = require('readline')
const packages = require('module').createRequire(process.argv[2] + '/')
const { Authenticator } = packages('@dcl/crypto')
const { createUnsafeIdentity } = packages('@dcl/crypto/dist/crypto')
const { Packet } = packages('@dcl/protocol/out-js/decentraland/kernel/comms/rfc4/comms.gen')
const { WsPacket } = packages('@dcl/protocol/out-js/decentraland/kernel/comms/rfc5/ws_comms.gen')

const say = (event, details) => console.log(JSON.stringify({ event, ...details }))
const names = new Map() // alias -> address
let socket

const told = {
  async challengeMessage({ challengeToSign }, { login }) {
    const chain = Authenticator.signPayload(await login, challengeToSign)
    tell('signedChallengeForServer', { authChainJson: JSON.stringify(chain) })
  },
  welcomeMessage({ peerIdentities }, { address }) {
    Object.entries(peerIdentities).forEach(([alias, who]) => names.set(Number(alias), who))
    say('connected', { address, peers: [...names.values()].sort() })
  },
  peerJoinMessage({ alias, address }) {
    names.set(alias, address)
    say('joined', { identity: address })
  },
  peerLeaveMessage({ alias }) {
    say('left', { identity: names.get(alias) })
  },
  peerUpdateMessage({ fromAlias, body }) {
    say('packet', { sender: names.get(fromAlias), packet: Packet.toJSON(Packet.decode(body)) })
  }
}

function tell(kind, content) {
  socket.send(WsPacket.encode(WsPacket.fromPartial({ message: { $case: kind, [kind]: content } })).finish())
}

const orders = {
  connect({ url }) {
    const wallet = createUnsafeIdentity()
    const sign = async (message) => Authenticator.createSignature(wallet, message)
    const login = Authenticator.initializeAuthChain(wallet.address, createUnsafeIdentity(), 10, sign)
    const me = { login, address: wallet.address.toLowerCase() }
    socket = new WebSocket(url, 'rfc5')
    socket.binaryType = 'arraybuffer'
    socket.onopen = () => tell('peerIdentification', { address: wallet.address })
    socket.onclose = ({ code }) => say('closed', { code })
    socket.onmessage = async ({ data }) => {
      const { $case, ...content } = WsPacket.decode(new Uint8Array(data)).message
      await told[$case](content[$case], me)
    }
  },
  send({ packet, reliable }) {
    const body = Packet.encode(Packet.fromJSON(packet)).finish()
    tell('peerUpdateMessage', { fromAlias: 0, body, unreliable: !reliable })
  },
  quit() {
    process.exit()
  }
}

createInterface({ input: process.stdin })
  .on('line', (line) => {
    const { do: what, ...details } = JSON.parse(line)
    orders[what](details)
  })
  .on('close', orders.quit)
