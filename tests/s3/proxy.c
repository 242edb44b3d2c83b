/*
 * A TCP proxy that breaks HTTP on demand: latency, rates, and faults at the exact byte.
 *
 *     proxy [-l LOG] [-r RULES] PORT HOST SERVER_PORT
 *
 * Listens at 127.0.0.1:PORT (0: a free one), prints the port, and passes everything on to HOST:SERVER_PORT.  RULES is
 * looked at for every request; README.md describes it.  LOG gets a line for every request, before its reply is passed:
 *
 *     METHOD PATH STATUS BODY-BYTES REPLY-BODY-BYTES MILLISECONDS FAULT
 *
 * One thread a connection.  Each direction is a flow: it gathers a head, is told what to do with the message, and
 * passes it; bodies to which nothing is to happen are spliced and never seen.  Clients that send the next request
 * before they have the reply are not supported.
 */
#include "proxy_head.h"
#include "proxy_rules.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PIPE_SIZE    (1 << 20)
#define LINGER_MS    2000
#define NEVER        INT64_MAX
#define NS_PER_MS    INT64_C(1000000)
#define NS_PER_S     INT64_C(1000000000)
#define SLICES_PER_S 50 /* of a limited rate */

enum state {
	GATHER, /* the head of the next message */
	PASS, /* the message */
	SWALLOW /* the body of a request that is answered here */
};

struct flow {
	int from, to;
	char *buf;
	size_t size, begin, end, release; /* [begin, release) may be passed, [release, end) not yet */
	int pipe[2];
	size_t piped;
	enum state state;
	int64_t left; /* bytes of the message that have not been read yet */
	int64_t passed; /* bytes of the message that have */
	int64_t fault_at; /* NEVER: nothing happens any more in this message */
	int64_t rate;
	int64_t wake; /* nothing is read or written before this time */
	bool eof, shut;
};

enum ending { NOT_YET, WITH_FIN, WITH_RST };

struct connection {
	int client, server;
	struct flow up, down;
	struct head request;
	struct faults faults;
	int64_t began;
	bool active; /* a request is there whose line is not in the log */
	bool close_after; /* what is in the down flow's buffer */
	bool repeated;
	char *copy; /* of a request that will be sent twice */
	size_t copied;
	enum ending ending;
};

static struct sockaddr_storage server_address;
static socklen_t server_address_len;
static int log_fd = -1;

/* ---- time and rates ---- */

static int64_t
now_ns(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * NS_PER_S + t.tv_nsec;
}

/* Both directions of the line have their own time at which it is free again, over all connections. */
static int64_t
reserve_line(bool down, int64_t rate, int64_t bytes)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	static int64_t free_at[2];
	int64_t now = now_ns(), until;

	(void)pthread_mutex_lock(&lock);
	if (free_at[down] < now)
		free_at[down] = now;
	free_at[down] += bytes * NS_PER_S / rate;
	until = free_at[down];
	(void)pthread_mutex_unlock(&lock);
	return until;
}

/* ---- the log ---- */

static void
log_request(struct connection *c, int status, int64_t reply_body)
{
	char line[1400];
	int n;

	if (!c->active)
		return;
	c->active = false;
	n = snprintf(line, sizeof line, "%s %s %d %lld %lld %lld %s\n", c->request.method, c->request.path, status,
	    (long long)(c->request.body == BODY_UNKNOWN ? -1 : c->request.body),
	    (long long)(reply_body == BODY_UNKNOWN ? -1 : reply_body), (long long)((now_ns() - c->began) / NS_PER_MS),
	    fault_name(c->faults.fault.kind));
	/* One write: lines of several threads stay whole. */
	if (log_fd >= 0 && write(log_fd, line, (size_t)n) != n)
		perror("proxy: log");
}

/* ---- sockets ---- */

static int
connect_to_server(void)
{
	const int one = 1;
	int fd = socket(server_address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	if (connect(fd, (struct sockaddr *)&server_address, server_address_len) != 0) {
		(void)close(fd);
		return -1;
	}
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	(void)fcntl(fd, F_SETFL, O_NONBLOCK);
	return fd;
}

/* A reset throws away what the other side has not got yet: wait until it has everything that was sent. */
static void
reset_socket(int fd)
{
	const struct linger at_once = {1, 0};
	const struct timespec pause = {0, NS_PER_MS};
	int queued = 0;

	if (fd < 0)
		return;
	for (int i = 0; i < 200 && ioctl(fd, SIOCOUTQ, &queued) == 0 && queued > 0; i++)
		(void)nanosleep(&pause, NULL);
	(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
	(void)close(fd);
}

/* Closing a socket with unread bytes sends a reset.  So that it is a clean end: no more sent, but read what comes. */
static void
close_cleanly(int client, int server)
{
	struct pollfd fds[2] = {{client, POLLIN, 0}, {server, POLLIN, 0}};
	int64_t until = now_ns() + LINGER_MS * NS_PER_MS;
	char waste[16384];
	ssize_t n;

	for (int i = 0; i < 2; i++)
		(void)shutdown(fds[i].fd, SHUT_WR);
	while ((fds[0].fd >= 0 || fds[1].fd >= 0) && now_ns() < until) {
		if (poll(fds, 2, 100) <= 0)
			continue;
		for (int i = 0; i < 2; i++) {
			n = fds[i].revents != 0 ? read(fds[i].fd, waste, sizeof waste) : 1;
			if (n == 0 || (n < 0 && errno != EAGAIN))
				fds[i].fd = -1;
		}
	}
	(void)close(client);
	(void)close(server);
}

/* ---- flows ---- */

static bool
is_up(const struct connection *c, const struct flow *f)
{
	return f == &c->up;
}

static bool
flow_start(struct flow *f, int from, int to)
{
	*f = (struct flow){.from = from, .to = to, .size = HEAD_MAX, .fault_at = NEVER, .pipe = {-1, -1}};
	f->buf = malloc(f->size);
	if (f->buf == NULL || pipe2(f->pipe, O_NONBLOCK | O_CLOEXEC) != 0)
		return false;
	(void)fcntl(f->pipe[1], F_SETPIPE_SZ, PIPE_SIZE);
	return true;
}

static void
flow_free(struct flow *f)
{
	free(f->buf);
	for (int i = 0; i < 2; i++)
		if (f->pipe[i] >= 0)
			(void)close(f->pipe[i]);
}

static bool
is_drained(const struct flow *f)
{
	return f->begin == f->release && f->piped == 0;
}

/* The next message: what is left in the buffer is its beginning. */
static void
next_message(struct flow *f)
{
	memmove(f->buf, f->buf + f->begin, f->end - f->begin);
	f->end -= f->begin;
	f->begin = f->release = 0;
	f->state = GATHER;
	f->left = f->passed = 0;
	f->fault_at = NEVER;
}

/* The message in the buffer may go, and so many bytes of it follow. */
static void
release_message(struct flow *f, size_t head, int64_t body)
{
	size_t inside = f->end - f->begin - head;

	f->state = PASS;
	f->passed = 0;
	if (body != BODY_UNKNOWN && (int64_t)inside > body)
		inside = (size_t)body;
	f->left = body == BODY_UNKNOWN ? body : body - (int64_t)inside;
	f->release = f->begin + head + inside;
}

/* ---- replies of our own ---- */

static size_t
format_reply(const struct fault *f, bool closing, bool without_body, char *out, size_t size)
{
	time_t t = time(NULL) + f->clock;
	char body[256] = "", date[64];
	struct tm tm;
	size_t n = 0;

	(void)gmtime_r(&t, &tm);
	(void)strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", &tm);
	/* A code of "-" is an answer that is not S3's, as a balancer or a captive portal gives it. */
	n = (size_t)snprintf(body, sizeof body,
	    strcmp(f->code, "-") == 0 ? "<html><body>Something is wrong%.0s</body></html>"
				      : "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Error><Code>%s</Code>"
					"<Message>injected</Message></Error>",
	    f->code);
	return (size_t)snprintf(out, size,
	    "HTTP/1.1 %d Injected\r\nDate: %s\r\nContent-Type: application/xml\r\n%s%sContent-Length: %zu\r\n\r\n%s",
	    f->status, date, f->headers, closing ? "Connection: close\r\n" : "", n, without_body ? "" : body);
}

/* Put our own answer where the server's would be. */
static void
answer(struct connection *c, bool closing)
{
	struct flow *d = &c->down;

	d->begin = 0;
	d->end = format_reply(&c->faults.fault, closing, strcmp(c->request.method, "HEAD") == 0, d->buf, d->size);
	release_message(d, d->end, 0);
	d->fault_at = NEVER;
	d->wake = c->up.wake;
	c->close_after = closing;
	log_request(c, c->faults.fault.status, 0);
}

/* ---- requests ---- */

/* Until the reply begins, bytes that come down belong to nothing. */
static void
expect_reply(struct connection *c)
{
	struct flow *d = &c->down;

	if (is_drained(d))
		next_message(d);
	d->rate = c->faults.rate_down;
}

static void
begin_request(struct connection *c, const char *method)
{
	if (method != NULL) {
		memset(&c->request, 0, sizeof c->request);
		(void)snprintf(c->request.method, sizeof c->request.method, "%s", method);
		(void)snprintf(c->request.path, sizeof c->request.path, "-");
		c->request.body = BODY_UNKNOWN;
	}
	rules_for(c->request.method, c->request.path, &c->faults);
	c->began = now_ns();
	c->active = true;
	c->repeated = false;
	c->copied = 0;
	c->up.rate = c->faults.rate_up;
	c->up.wake = c->began + c->faults.delay_ms * NS_PER_MS;
}

static void
arm(struct flow *f, const struct fault *fault, bool down, size_t head, int64_t body)
{
	bool at_bytes = fault->kind == FAULT_RESET || fault->kind == FAULT_CLOSE || fault->kind == FAULT_STALL ||
			fault->kind == FAULT_FLIP || fault->kind == FAULT_DOUBLE;

	f->fault_at = at_bytes && fault->down == down ? fault_position(fault, head, body) : NEVER;
}

/* What is no HTTP is passed as one message without an end. */
static void
begin_raw(struct connection *c)
{
	begin_request(c, "RAW");
	expect_reply(c);
	release_message(&c->up, 0, BODY_UNKNOWN);
	release_message(&c->down, 0, BODY_UNKNOWN);
	arm(&c->up, &c->faults.fault, false, 0, BODY_UNKNOWN);
	arm(&c->down, &c->faults.fault, true, 0, BODY_UNKNOWN);
	c->down.rate = c->faults.rate_down;
}

/* Answer without asking the server: at once if the client waits to be told to go on, otherwise after its body. */
static void
swallow(struct connection *c)
{
	struct flow *u = &c->up;

	release_message(u, c->request.length, c->request.body);
	u->begin = u->release;
	u->state = SWALLOW;
	if (c->request.expects || u->left == 0 || c->request.body == BODY_UNKNOWN) {
		answer(c, c->request.expects || c->request.body == BODY_UNKNOWN);
		next_message(u);
	}
}

static void
gathered_request(struct connection *c)
{
	struct flow *u = &c->up;
	size_t length = head_length(u->buf + u->begin, u->end - u->begin);

	if (!head_is_request(u->buf + u->begin, u->end - u->begin) || (length == 0 && u->end == u->size)) {
		begin_raw(c);
		return;
	}
	if (length == 0)
		return;
	head_read_request(u->buf + u->begin, length, &c->request);
	begin_request(c, NULL);
	expect_reply(c);
	if (c->faults.fault.kind == FAULT_REPLY) {
		swallow(c);
		return;
	}
	release_message(u, length, c->request.body);
	arm(u, &c->faults.fault, false, length, c->request.body);
}

/* ---- replies ---- */

/* The request again on a connection of its own; nobody sees the first reply. */
static void
repeat_request(struct connection *c)
{
	struct flow *u = &c->up, *d = &c->down;

	c->repeated = true;
	(void)close(c->server);
	c->server = connect_to_server();
	if (c->server < 0) {
		c->ending = WITH_RST;
		return;
	}
	u->to = d->from = c->server;
	free(u->buf);
	u->buf = c->copy;
	u->size = c->copied + HEAD_MAX;
	u->end = c->copied;
	u->begin = 0;
	c->copy = NULL;
	c->copied = 0;
	release_message(u, u->end, 0);
	d->begin = d->end = d->release = 0;
}

static void
gathered_reply(struct connection *c)
{
	struct flow *d = &c->down;
	const struct fault *f = &c->faults.fault;
	size_t length = head_length(d->buf + d->begin, d->end - d->begin);
	struct head head;

	if (length == 0) {
		if (d->end == d->size)
			release_message(d, 0, BODY_UNKNOWN);
		return;
	}
	head_read_reply(d->buf + d->begin, length, c->request.method, &head);
	if (head.status < 200) {
		/* 100 Continue: positions count from the reply proper. */
		release_message(d, length, 0);
		return;
	}
	if (f->kind == FAULT_REPEAT && !c->repeated && c->up.state == GATHER) {
		repeat_request(c);
		return;
	}
	if (f->kind == FAULT_REPLY_AFTER) {
		answer(c, true);
		return;
	}
	log_request(c, head.status, head.body);
	release_message(d, length, head.body);
	arm(d, f, true, length, head.body);
}

static void
gathered(struct connection *c, struct flow *f)
{
	if (is_up(c, f))
		gathered_request(c);
	else
		gathered_reply(c);
}

/* ---- passing ---- */

static void
keep_copy(struct connection *c, const char *bytes, size_t n)
{
	char *more = realloc(c->copy, c->copied + n + HEAD_MAX);

	if (more == NULL)
		abort();
	c->copy = more;
	memcpy(c->copy + c->copied, bytes, n);
	c->copied += n;
}

static bool
is_copied(const struct connection *c, const struct flow *f)
{
	return is_up(c, f) && c->faults.fault.kind == FAULT_REPEAT && !c->repeated;
}

static void
send_twice(struct connection *c, struct flow *f)
{
	if (send(f->to, f->buf + f->begin, 1, MSG_NOSIGNAL) != 1)
		c->ending = WITH_RST;
}

/* The flow is at the byte where something happens. */
static void
strike(struct connection *c, struct flow *f)
{
	const struct fault *fault = &c->faults.fault;

	f->fault_at = NEVER;
	switch (fault->kind) {
	case FAULT_RESET:
		c->ending = WITH_RST;
		break;
	case FAULT_CLOSE:
		c->ending = WITH_FIN;
		break;
	case FAULT_STALL:
		/* Behind a full window even the client's end does not get here: there may be no later time for the log.
		 */
		if (fault->seconds <= 0)
			log_request(c, 0, 0);
		f->wake = fault->seconds > 0 ? now_ns() + (int64_t)(fault->seconds * (double)NS_PER_S) : NEVER;
		break;
	case FAULT_FLIP:
		f->buf[f->begin] ^= 1;
		break;
	case FAULT_DOUBLE:
		send_twice(c, f);
		break;
	default:
		break;
	}
}

/* A write or read failed for good: the other side is to see the same. */
static void
broken(struct connection *c)
{
	if (errno != EAGAIN && errno != EINTR)
		c->ending = WITH_RST;
}

/* Behind the last byte there is nothing to change, but it is a place to end or to wait. */
static void
strike_at_end(struct connection *c, struct flow *f)
{
	enum fault_kind kind = c->faults.fault.kind;

	if (f->passed == f->fault_at && kind != FAULT_FLIP && kind != FAULT_DOUBLE)
		strike(c, f);
}

static void
message_passed(struct connection *c, struct flow *f)
{
	if (!is_drained(f) || f->left > 0)
		return;
	strike_at_end(c, f);
	if (c->ending != NOT_YET)
		return;
	if (!is_up(c, f) && c->close_after)
		c->ending = WITH_FIN;
	next_message(f);
	/* A reply right behind 100 Continue. */
	if (f->end > 0 && !f->eof)
		gathered(c, f);
}

static size_t
slice(const struct flow *f, size_t n)
{
	int64_t part = f->rate / SLICES_PER_S > 1 ? f->rate / SLICES_PER_S : 1;

	return f->rate > 0 && (int64_t)n > part ? (size_t)part : n;
}

static void
pass_buffer(struct connection *c, struct flow *f)
{
	size_t n = f->release - f->begin;
	ssize_t sent;

	if (f->fault_at == f->passed) {
		strike(c, f);
		return;
	}
	if (f->fault_at != NEVER && f->fault_at - f->passed < (int64_t)n)
		n = (size_t)(f->fault_at - f->passed);
	n = slice(f, n);
	sent = send(f->to, f->buf + f->begin, n, MSG_NOSIGNAL);
	if (sent < 0) {
		broken(c);
		return;
	}
	if (is_copied(c, f))
		keep_copy(c, f->buf + f->begin, (size_t)sent);
	f->begin += (size_t)sent;
	f->passed += sent;
	if (f->rate > 0)
		f->wake = reserve_line(!is_up(c, f), f->rate, sent);
	message_passed(c, f);
}

static void
pass_pipe(struct connection *c, struct flow *f)
{
	ssize_t n = splice(f->pipe[0], NULL, f->to, NULL, f->piped, SPLICE_F_NONBLOCK | SPLICE_F_MOVE);

	if (n < 0) {
		broken(c);
		return;
	}
	f->piped -= (size_t)n;
	f->passed += n;
	message_passed(c, f);
}

/* ---- reading ---- */

static void
at_eof(struct connection *c, struct flow *f)
{
	f->eof = true;
	/* Half a head goes as it is. */
	f->release = f->end;
	if (f->state == SWALLOW)
		c->ending = WITH_FIN;
}

static bool
may_splice(const struct connection *c, const struct flow *f)
{
	return f->state == PASS && f->begin == f->end && f->left > 0 && f->fault_at == NEVER && f->rate == 0 &&
	       !is_copied(c, f);
}

static void
read_pipe(struct connection *c, struct flow *f)
{
	size_t most = f->left < PIPE_SIZE ? (size_t)f->left : PIPE_SIZE;
	ssize_t n = splice(f->from, NULL, f->pipe[1], NULL, most, SPLICE_F_NONBLOCK | SPLICE_F_MOVE);

	if (n < 0) {
		broken(c);
	} else if (n == 0) {
		at_eof(c, f);
	} else {
		f->piped += (size_t)n;
		if (f->left != BODY_UNKNOWN)
			f->left -= n;
		pass_pipe(c, f);
	}
}

static void
got(struct connection *c, struct flow *f, size_t n)
{
	f->end += n;
	if (f->state == GATHER) {
		gathered(c, f);
		return;
	}
	if (f->left != BODY_UNKNOWN)
		f->left -= (int64_t)n;
	f->release = f->end;
	if (f->state != SWALLOW)
		return;
	f->begin = f->end;
	if (f->left == 0) {
		answer(c, false);
		next_message(f);
	}
}

static void
read_buffer(struct connection *c, struct flow *f)
{
	size_t room;
	ssize_t n;

	if (f->begin == f->end)
		f->begin = f->end = f->release = 0;
	room = f->size - f->end;
	if (f->state != GATHER && (int64_t)room > f->left)
		room = (size_t)f->left;
	n = recv(f->from, f->buf + f->end, room, 0);
	if (n < 0)
		broken(c);
	else if (n == 0)
		at_eof(c, f);
	else
		got(c, f, (size_t)n);
}

/* ---- the loop ---- */

/* The next thing that a flow needs: to write, to read, or to wait. */
static void
add_wishes(const struct flow *f, int64_t now, struct pollfd *from, struct pollfd *to)
{
	if (f->wake > now)
		return;
	if (!is_drained(f))
		to->events |= POLLOUT;
	else if (!f->eof)
		from->events |= POLLIN;
}

static void
run_flow(struct connection *c, struct flow *f, int64_t now, short from, short to)
{
	if (f->wake > now || c->ending != NOT_YET)
		return;
	if (f->piped > 0) {
		if (to != 0)
			pass_pipe(c, f);
	} else if (f->begin < f->release) {
		if (to != 0)
			pass_buffer(c, f);
	} else if (f->eof && !f->shut) {
		f->shut = true;
		(void)shutdown(f->to, SHUT_WR);
	} else if (!f->eof && from != 0) {
		if (may_splice(c, f))
			read_pipe(c, f);
		else
			read_buffer(c, f);
	}
}

static int
milliseconds_until(const struct connection *c, int64_t now)
{
	int64_t first = NEVER;

	if (c->up.wake > now)
		first = c->up.wake;
	if (c->down.wake > now && c->down.wake < first)
		first = c->down.wake;
	if (first == NEVER)
		return -1;
	return (int)((first - now + NS_PER_MS - 1) / NS_PER_MS);
}

/* Who waits for a time must notice that the connection is gone meanwhile. */
static bool
gone_while_waiting(const struct connection *c, const struct pollfd fds[2], int64_t now)
{
	if (c->up.wake <= now && c->down.wake <= now)
		return false;
	return (fds[0].revents & (POLLERR | POLLHUP | POLLRDHUP)) != 0 || (fds[1].revents & (POLLERR | POLLHUP)) != 0;
}

static void
step(struct connection *c)
{
	struct pollfd fds[2] = {{c->client, 0, 0}, {c->server, 0, 0}};
	int64_t now = now_ns();

	add_wishes(&c->up, now, &fds[0], &fds[1]);
	add_wishes(&c->down, now, &fds[1], &fds[0]);
	if (c->up.wake > now || c->down.wake > now)
		fds[0].events |= POLLRDHUP;
	if (poll(fds, 2, milliseconds_until(c, now)) < 0)
		return;
	if (gone_while_waiting(c, fds, now)) {
		c->ending = WITH_RST;
		return;
	}
	now = now_ns();
	run_flow(c, &c->down, now, fds[1].revents, fds[0].revents);
	run_flow(c, &c->up, now, fds[0].revents, fds[1].revents);
	if (c->up.shut && c->down.shut)
		c->ending = WITH_FIN;
}

static void
end_connection(struct connection *c)
{
	log_request(c, 0, 0);
	if (c->ending == WITH_RST) {
		reset_socket(c->client);
		reset_socket(c->server);
	} else {
		close_cleanly(c->client, c->server);
	}
}

static void
serve(struct connection *c)
{
	c->server = connect_to_server();
	if (c->server < 0 || !flow_start(&c->up, c->client, c->server) || !flow_start(&c->down, c->server, c->client))
		c->ending = WITH_RST;
	while (c->ending == NOT_YET)
		step(c);
	end_connection(c);
	flow_free(&c->up);
	flow_free(&c->down);
	free(c->copy);
}

static void *
connection_main(void *arg)
{
	struct connection *c = arg;

	serve(c);
	free(c);
	return NULL;
}

static void
accepted(int fd)
{
	const int one = 1;
	struct connection *c;
	pthread_t thread;

	if (rules_refuse()) {
		reset_socket(fd);
		return;
	}
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	c = calloc(1, sizeof *c);
	if (c == NULL)
		abort();
	c->client = fd;
	c->up.pipe[0] = c->up.pipe[1] = c->down.pipe[0] = c->down.pipe[1] = -1;
	if (pthread_create(&thread, NULL, connection_main, c) != 0)
		abort();
	(void)pthread_detach(thread);
}

static int
listen_at(int port)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	const int one = 1;
	socklen_t len = sizeof a;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof a) != 0 || listen(fd, 256) != 0 ||
	    getsockname(fd, (struct sockaddr *)&a, &len) != 0) {
		perror("proxy: listen");
		exit(1);
	}
	(void)printf("%d\n", ntohs(a.sin_port));
	(void)fflush(stdout);
	return fd;
}

static void
find_server(const char *host, const char *port)
{
	struct addrinfo *found = NULL, hints = {.ai_socktype = SOCK_STREAM};
	int e = getaddrinfo(host, port, &hints, &found);

	if (e != 0) {
		(void)fprintf(stderr, "proxy: %s: %s\n", host, gai_strerror(e));
		exit(1);
	}
	memcpy(&server_address, found->ai_addr, found->ai_addrlen);
	server_address_len = found->ai_addrlen;
	freeaddrinfo(found);
}

static void
open_log(const char *path)
{
	log_fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
	if (log_fd < 0) {
		perror(path);
		exit(1);
	}
}

int
main(int argc, char **argv)
{
	int option, listener, fd;

	while ((option = getopt(argc, argv, "l:r:")) != -1) {
		if (option == 'l')
			open_log(optarg);
		else if (option == 'r')
			rules_use(optarg);
		else
			return 2;
	}
	if (argc - optind != 3) {
		(void)fprintf(stderr, "usage: proxy [-l LOG] [-r RULES] PORT HOST SERVER_PORT\n");
		return 2;
	}
	(void)signal(SIGPIPE, SIG_IGN);
	find_server(argv[optind + 1], argv[optind + 2]);
	listener = listen_at((int)strtol(argv[optind], NULL, 10));
	for (;;) {
		fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd >= 0)
			accepted(fd);
		else if (errno != EINTR && errno != ECONNABORTED)
			return 1;
	}
}
