#ifndef CERTS_H_
#define CERTS_H_

/*
 * Throw-away certificates for tests of TLS: an authority, and what it has signed, as PEM files in a folder:
 *
 *     ca.pem                        the authority
 *     server.pem, server.key        for localhost, 127.0.0.1 and ::1
 *     other.pem, other.key          for other.example
 *     expired.pem, expired.key      for localhost, until yesterday
 *     client.pem, client.key        a client
 *     stranger-ca.pem               another authority
 *     stranger.pem, stranger.key    a client of that
 *
 * Whatever fails ends the test.  The files are the caller's to remove.
 */
void certs_make(const char *folder);

#endif
