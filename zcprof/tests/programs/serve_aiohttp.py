"""Serves /www over HTTP by aiohttp: serve_aiohttp.py PORT [tls]."""

import ssl
import sys

from aiohttp import web


async def body(request):
    return web.FileResponse("/www/body")


def main(port, *tls):
    context = None
    if tls:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain("/srv/cert.pem", "/srv/key.pem")
    app = web.Application()
    app.router.add_get("/body", body)
    web.run_app(app, port=int(port), ssl_context=context)


main(*sys.argv[1:])
