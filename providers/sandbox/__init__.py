"""The sandbox provider: an HTTP service with a vendor's manners that renders real video and sound and needs no vendor.

It knows nothing of this system: it is spoken to over HTTP by `providers.video.sandbox` and `providers.sound.sandbox`,
like any other vendor, and misbehaves when an order asks for it (`faults`).

    POST /v1/videos                              order a video
    GET  /v1/videos/{id}                         how it stands, and a link to the file
    POST /v1/videos/{id}/cancel                  stop it
    GET  /v1/videos?client_reference=&cursor=    what was accepted, oldest first
    GET  /v1/_audit?client_reference=            for tests: every acceptance, with its times and deliveries
    POST /v1/speech, /v1/effects, /v1/music      a sound, answered as soon as it is made
    GET  /v1/_audit/sounds?text=                 for tests: every sound that was accepted
    GET  /files/{id}.mp4?expires=&signature=     the file, by a link that lapses; ranges work
    GET  /health
"""
