"""A server on loopback that speaks as a judge does: chat completions, and all that goes wrong."""
import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SOON = {'retry-after-ms': '1'}


class Stub:
    """What the server was asked, and how it answers.

    ``answer(question, number)`` is given the user's message and how often it was asked before. It
    returns the reply's text, or a status, or (status, headers, body), or waits.
    """

    def __init__(self, answer):
        self.answer = answer
        self.requests = []
        self.counts = {}
        self.under_way = self.most_under_way = 0
        self.lock = threading.Lock()
        self.url = ''

    def handle(self, request):
        """(status, headers, body) of a request."""
        question = request['messages'][-1]['content']
        with self.lock:
            self.requests.append(request)
            number = self.counts[question] = self.counts.get(question, 0) + 1
            self.under_way += 1
            self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            said = self.answer(question, number - 1)
        finally:
            with self.lock:
                self.under_way -= 1
        if isinstance(said, str) or said is None:
            return 200, {}, completion(said)
        return (said, SOON, dict(error=dict(message=f'status {said}'))) if isinstance(
            said, int) else said


def completion(text):
    """A chat completion."""
    return dict(id='x', object='chat.completion', created=0, model='stub', choices=[dict(
        index=0, finish_reason='stop', message=dict(role='assistant', content=text))])


@contextmanager
def serve(answer):
    """Run a stub; ``url`` is where."""
    stub = Stub(answer)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = 'HTTP/1.1'
        disable_nagle_algorithm = True

        def do_POST(self):
            request = json.loads(self.rfile.read(int(self.headers['Content-Length'])))
            request['path'], request['key'] = self.path, self.headers['Authorization']
            status, headers, body = stub.handle(request)
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            try:
                self.send_response(status)
                for name, value in {'Content-Type': 'application/json', **headers}.items():
                    self.send_header(name, value)
                self.send_header('Content-Length', str(len(data)))
                self.end_headers()
                self.wfile.write(data)
            except (BrokenPipeError, ConnectionResetError):
                pass  # the client has given up

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(('127.0.0.1', 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, kwargs=dict(poll_interval=0.01),
                     daemon=True).start()
    stub.url = f'http://127.0.0.1:{server.server_address[1]}/v1'
    try:
        yield stub
    finally:
        server.shutdown()
        server.server_close()
