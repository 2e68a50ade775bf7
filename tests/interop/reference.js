// Answers a list of questions with what @dcl/crypto and the signed-fetch middleware make of them.
// usage: node reference.js FOLDER < questions.json > answers.json
const { createRequire } = require('module')
const packages = createRequire(process.argv[2] + '/')
const { Authenticator } = packages('@dcl/crypto')
const { verify } = packages('@dcl/platform-crypto-middleware')

const answers = {
  async validate({ chain, payload, at }) {
    return Authenticator.validateSignature(payload, chain, null, at)
  },
  async sign({ root, ephemeral, expiration, payload }) {
    const message = Authenticator.getEphemeralMessage(ephemeral.address, new Date(expiration))
    const signature = Authenticator.createSignature(root, message)
    const login = Authenticator.createSimpleAuthChain(message, root.address, signature)
    login[1].type = 'ECDSA_EPHEMERAL'
    const chain = Authenticator.signPayload({ ephemeralIdentity: ephemeral, authChain: login }, payload)
    return { chain, json: JSON.stringify(chain) }
  },
  async request({ method, url, headers }) {
    try {
      return { ok: true, ...(await verify(method, new URL(url).pathname, headers, {})) }
    } catch (error) {
      return { ok: false, status: error.statusCode, message: error.message }
    }
  },
  // By the rule of @dcl/crypto-middleware 6, which is on no registry that we know: the metadata as it was sent.
  async verbatim({ method, url, headers }) {
    const links = Object.keys(headers).filter((name) => name.startsWith('x-identity-auth-chain-')).sort()
    const chain = links.map((name) => JSON.parse(headers[name]))
    const place = [method, new URL(url).pathname].join(':').toLowerCase()
    const payload = [place, headers['x-identity-timestamp'], headers['x-identity-metadata']].join(':')
    return Authenticator.validateSignature(payload, chain, null)
  },
  async url({ url }) {
    const { pathname, href } = new URL(url)
    return { pathname, href }
  }
}

async function main() {
  let text = ''
  for await (const piece of process.stdin) text += piece
  const results = []
  for (const { ask, ...question } of JSON.parse(text)) results.push(await answers[ask](question))
  process.stdout.write(JSON.stringify(results))
}

main()
