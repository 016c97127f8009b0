"""The process context, as the application was given it."""

from typing import Annotated

from fastapi import Depends, Request

from receiver.factory import ProcessContext


def process_context(request: Request) -> ProcessContext:
    """Give the context that lives as long as the process."""
    context: ProcessContext = request.app.state.context
    return context


Context = Annotated[ProcessContext, Depends(process_context)]
