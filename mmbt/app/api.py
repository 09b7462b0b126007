"""The JSON API, and the videos and previews that pages play."""
import json
from collections.abc import Callable
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse, Response
from starlette.exceptions import HTTPException

from mmbt.engine.launch import describe
from mmbt.files.shown import printable
from mmbt.version import __version__

from .api_models import (
    ErrorReply,
    HealthReply,
    IndexReply,
    IndexRequest,
    LabelReply,
    LabelRequest,
    SearchReply,
    SearchRequest,
    VideosReply,
)
from .indexing import Progress
from .moments import Answer
from .service import Service
from .turns import Busy


class _Json(JSONResponse):
    """JSON in ASCII, so that names of files that are not UTF-8 can be told too."""

    def render(self, content: Any) -> bytes:
        return json.dumps(content).encode('ascii')


def build_api(service: Service) -> FastAPI:
    """The application with all routes below ``/api`` and ``/media``.

    Args:
        service: What it asks.
    """
    app = FastAPI(
        title='mmbt', version=__version__, docs_url=None, redoc_url=None,
        openapi_url='/api/openapi.json',
        description='Moments in videos by text, and labels of them.',
        responses={400: dict(model=ErrorReply), 503: dict(model=ErrorReply)})
    _tell_errors(app)
    _add_questions(app, service)
    _add_index(app, service)
    _add_media(app, service)

    @app.api_route('/api/{rest:path}', methods=['GET', 'POST', 'PUT', 'PATCH', 'DELETE'],
                   include_in_schema=False)
    def nothing(rest: str) -> Response:
        raise HTTPException(404)

    return app


def _add_questions(app: FastAPI, service: Service) -> None:
    @app.get('/api/health', response_model=HealthReply)
    def health() -> Response:
        """The model, the folders, and how many jobs wait."""
        return _Json(dict(status='ok', version=__version__, model=service.model_name,
                          compares=service.compares, folders=service.folders.roots,
                          working=service.jobs.taken, waiting=service.jobs.waiting))

    @app.post('/api/search', response_model=SearchReply)
    def search(asked: SearchRequest) -> Response:
        """The moments that a text describes, best first."""
        answer = service.search(_listed(asked.text), _listed(asked.without), asked.mode,
                                asked.top, asked.folder)
        return _Json(_search_reply(service, answer, asked.scores))

    @app.post('/api/label', response_model=LabelReply)
    def label(asked: LabelRequest) -> Response:
        """The classes that a video may be of, by their names."""
        labels, windows = service.label(asked.video, asked.classes, asked.top)
        reply: dict[str, Any] = dict(labels=_labels(labels))
        if asked.over_time:
            reply['windows'] = [dict(start=each.start, end=each.end, labels=_labels(each.labels))
                                for each in windows]
        return _Json(reply)


def _add_index(app: FastAPI, service: Service) -> None:
    @app.get('/api/videos', response_model=VideosReply)
    def videos(folder: str | None = None) -> Response:
        """The videos below a folder, and whether they are in the index."""
        return _Json(dict(folder=service.folder(folder), videos=service.videos(folder)))

    @app.get('/api/index', response_model=IndexReply)
    def progress(folder: str | None = None) -> Response:
        """How far the indexing of a folder is."""
        return _Json(_progress(service.progress(folder)))

    @app.post('/api/index', response_model=IndexReply, status_code=202)
    def index(asked: IndexRequest) -> Response:
        """Begin to index what is new below a folder; it goes on when this returns."""
        return _Json(_progress(service.index(asked.folder)), status_code=202)

    @app.delete('/api/index', response_model=IndexReply)
    def stop(folder: str | None = None) -> Response:
        """End the indexing at hand; what is encoded stays in the index."""
        service.indexing.stop()
        service.indexing.wait(10.)
        return _Json(_progress(service.progress(folder)))


def _add_media(app: FastAPI, service: Service) -> None:
    @app.get('/media/{key:path}', response_class=FileResponse)
    def media(request: Request) -> Response:
        """A video of the folders as it is, or parts of it."""
        path = service.folders.video(service.folders.of_key(_key(request, '/media/')))
        kind = service.player.playable(path).media_type
        return FileResponse(path, media_type=kind or 'application/octet-stream',
                            headers={'cache-control': 'private, max-age=60'})

    @app.get('/preview/{key:path}', response_class=FileResponse)
    def preview(request: Request, start: float = 0., end: float = 0.) -> Response:
        """A moment of a video as H.264 without sound, 30 s at most."""
        path = service.folders.video(service.folders.of_key(_key(request, '/preview/')))
        if not (0 <= start < 1e7 and 0 <= end < 1e7):
            raise ValueError('start and end must be seconds of the video')
        return FileResponse(service.player.preview(path, start, end), media_type='video/mp4',
                            headers={'cache-control': 'private, max-age=3600'})

    @app.get('/frame/{key:path}', response_class=Response)
    def frame(request: Request, at: float = 0.) -> Response:
        """The frame that a video shows at a time, as JPEG."""
        path = service.folders.video(service.folders.of_key(_key(request, '/frame/')))
        return Response(service.player.frame(path, at), media_type='image/jpeg',
                        headers={'cache-control': 'private, max-age=3600'})


def _key(request: Request, before: str) -> str:
    """What stands behind the route's name, as it was sent: a name may be no UTF-8."""
    return request.scope['raw_path'].decode('ascii', 'replace').partition(before)[2]


def play_url(service: Service, path: str, start: float, end: float) -> str:
    """Where a moment of a video is played: the file with the times, or its preview.

    Raises:
        VideoReadError: If it cannot be read.
    """
    key = service.folders.key(path)
    if not service.player.playable(path).media_type:
        return f'/preview/{key}?start={start:.3f}&end={end:.3f}'
    return f'/media/{key}' + (f'#t={start:.3f},{end:.3f}' if end > start else '')


def _search_reply(service: Service, answer: Answer, with_scores: bool) -> dict[str, Any]:
    hits = []
    for hit, scores in answer.moments:
        found: dict[str, Any] = hit._asdict()
        try:
            found['url'] = play_url(service, hit.path, hit.start, hit.end)
        except (ValueError, OSError):  # gone since it was indexed
            found['url'] = ''
        if with_scores:
            found['scores'] = [dict(start=each.start, end=each.end, score=each.score)
                               for each in scores]
        hits.append(found)
    return dict(hits=hits, notes=answer.notes)


def _listed(texts: str | list[str]) -> list[str]:
    return [texts] if isinstance(texts, str) else texts


def _labels(labels: list[tuple[str, float]]) -> list[dict[str, Any]]:
    return [dict(name=name, probability=probability) for name, probability in labels]


def _progress(progress: Progress) -> dict[str, Any]:
    return dict(vars(progress))


def _tell_errors(app: FastAPI) -> None:
    """Have each error be JSON with one line."""
    def told(status: int | None = None) -> Callable[[Request, Any], Response]:
        def answer(request: Request, error: Any) -> Response:
            line = describe(error) or str(error)
            code = status or (404 if isinstance(error, FileNotFoundError) else 400)
            headers = {'retry-after': '5'} if code == 503 else None
            return _Json(dict(error=printable(line)), code, headers)
        return answer

    def invalid(request: Request, error: Any) -> Response:
        first = error.errors()[0]
        where = '.'.join(str(part) for part in first['loc'] if part != 'body')
        return _Json(dict(error=printable(f'{where or "the body"}: {first["msg"]}')), 422)

    def http(request: Request, error: Any) -> Response:
        line = (f'there is no {request.method} {printable(request.url.path)[:200]}'
                if error.status_code in (404, 405) else str(error.detail))
        return _Json(dict(error=line), error.status_code)

    def bug(request: Request, error: Exception) -> Response:
        return _Json(dict(error=printable(f'{type(error).__name__}: {error}')), 500)

    app.add_exception_handler(ValueError, told())
    app.add_exception_handler(OSError, told())
    app.add_exception_handler(Busy, told(503))
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(Exception, bug)
