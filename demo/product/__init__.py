"""RaOS, the product that the demo deploys: three components that run on Python's standard library alone.

An update's artifact holds this package as `raos`: `kit`, and one of `web`, `api` and `docs`. The other folders here are
layers, named after the component that they change: their files replace or add to that component's (see demo.updates).
Modules import across folders as `..web`, never as `.`, so that a layer's file works at either place.
"""
