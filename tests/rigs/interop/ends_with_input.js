// For a server that is started by a test: it ends when the test's end of its standard input does.
process.stdin.on('end', () => process.exit()).resume()
